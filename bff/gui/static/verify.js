import { call } from "./api.js";
import { codeForm } from "./code.js";
import { goOn, kept } from "./ui.js";

const signup = kept.get("signup");

function over() {
  kept.forget("signup");
  kept.put("notice", "That signup is over. If you finished it, log in; if not, sign up again.");
  location.replace("/login");
}

if (signup === null) {
  location.replace("/login");
} else {
  const path = `/auth/signup/${signup.signup_id}`;
  codeForm(document.getElementById("code-form")).ask({
    methods: [{ method: "email", to: signup.sent_to }],
    wait: signup.resend_after - (Date.now() - signup.at) / 1000,
    lead: ({ to }) => `We sent a code to ${to}. Type it here to show that the address is yours.`,
    send: async () => {
      const answer = await call("POST", `${path}/resend`);
      if (answer.status === 200) kept.put("signup", { ...answer.content, at: Date.now() });
      return answer;
    },
    check: (code) => call("POST", `${path}/verify`, { code }),
    done: goOn,
    over,
  });
}
