import { call } from "./api.js";
import { codeForm } from "./code.js";
import { beginReset, endReset, kept } from "./ui.js";

const begun = kept.get("reset");

// Why a reset has begun that nobody asked for, by the status that said so.
const REASONS = {
  needs_new_password: "Your password was right. To keep your account safe, please choose a new one.",
  needs_code: "Your account has moved to another system meanwhile, and nothing is lost.",
};

function lead({ method, to }) {
  if (method === "sms") return "If your account has a phone number that gets codes, we sent one there.";
  if (!(begun.status in REASONS))
    return `If there is an account with ${to}, we sent a code there. It may take a minute.`;
  const sent = begun.sent_to
    ? `First, type the code that we sent to ${to}.`
    : `First, type the code that comes to ${to}.`;
  return `${REASONS[begun.status]} ${sent}`;
}

/** Have a code sent: another one, or one by another method, for which the reset is begun anew. */
async function send({ method }) {
  const current = kept.get("reset");
  const answer = await (method === current.method
    ? call("POST", "/auth/password/reset/send", { reset_id: current.reset_id })
    : call("POST", "/auth/password/reset", { email: current.email, method }));
  if (answer.status === 202) beginReset({ ...answer.content, method });
  return answer;
}

if (begun === null) {
  location.replace("/forgot");
} else if (Date.parse(begun.expires_at) < Date.now()) {
  endReset();
} else if (begun.proven) {
  location.replace("/forgot/password");
} else {
  const methods = [
    { method: "email", to: begun.sent_to ?? begun.email ?? "your mailbox" },
    { method: "sms", to: "your phone" },
  ].filter(({ method }) => begun.email !== null || method === begun.method);
  codeForm(document.getElementById("code-form")).ask({
    methods: methods.toSorted((a, b) => (b.method === begun.method) - (a.method === begun.method)),
    wait: begun.resend_after - (Date.now() - begun.at) / 1000,
    lead,
    send,
    check: (code) => call("POST", "/auth/password/reset/verify", { reset_id: kept.get("reset").reset_id, code }),
    done: ({ expires_at: expiresAt }) => {
      kept.put("reset", { ...kept.get("reset"), expires_at: expiresAt, proven: true });
      location.replace("/forgot/password");
    },
    over: endReset,
  });
}
