import { call } from "./api.js";
import { bind } from "./form.js";
import { countdown, goOn, kept, say } from "./ui.js";

const signup = kept.get("signup");
const form = document.getElementById("form");
const resend = document.getElementById("resend");
const problem = form.querySelector(".form-error");

function over() {
  kept.forget("signup");
  kept.put("notice", "That signup is over. If you finished it, log in; if not, sign up again.");
  location.replace("/login");
}

if (signup === null) {
  location.replace("/login");
} else {
  const path = `/auth/signup/${signup.signup_id}`;
  document.getElementById("lead").textContent =
    `We sent a code to ${signup.sent_to}. Type it here to show that the address is yours.`;
  countdown(resend, signup.resend_after - (Date.now() - signup.at) / 1000, "Send another code");
  bind(form, {
    messages: { code: "Please type the code." },
    send: ({ code }) => call("POST", `${path}/verify`, { code: code.replaceAll(/\s/g, "") }),
    done: goOn,
    refused: (answer) => {
      if (answer.content.code !== "signup_ended") return false;
      over();
      return true;
    },
  });
  resend.addEventListener("click", async () => {
    problem.textContent = "";
    resend.disabled = true;
    const answer = await call("POST", `${path}/resend`);
    if (answer.status === 200) {
      kept.put("signup", { ...answer.content, at: Date.now() });
      countdown(resend, answer.content.resend_after, "Send another code");
      say(`Another code was sent to ${answer.content.sent_to}.`);
      form.elements.code.focus();
    } else if (answer.content.code === "signup_ended") {
      over();
    } else {
      problem.textContent = `The code could not be sent. ${answer.content.detail}`;
      countdown(resend, answer.retryAfter, "Send another code");
    }
  });
}
