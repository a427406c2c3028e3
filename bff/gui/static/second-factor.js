import { call } from "./api.js";
import { bind } from "./form.js";
import { countdown, goOn, kept, say } from "./ui.js";

const METHODS = {
  totp: { name: "Authenticator app", lead: () => "Type the code that your authenticator app shows for AX." },
  backup_code: { name: "Backup code", lead: () => "Type one of the backup codes that you kept. Each works once." },
  sms: { name: "Text message", lead: (to) => `We sent a code to ${to}. It may take a minute.` },
  email: { name: "Email", lead: (to) => `We sent a code to ${to}. It may take a minute.` },
};
const RESEND_SECONDS = 30;

const challenge = kept.get("challenge");
const form = document.getElementById("form");
const lead = document.getElementById("lead");
const others = document.getElementById("others");
const resend = document.getElementById("resend");
const problem = form.querySelector(".form-error");
let chosen = null;

function beginAgain() {
  kept.put("notice", "That login took too long, or had too many wrong codes. Please begin again.");
  location.replace("/login");
}

function label({ method, to }) {
  return to ? `${METHODS[method].name} to ${to}` : METHODS[method].name;
}

async function send(offered) {
  const answer = await call("POST", "/auth/login/second-factor/prepare", {
    challenge_id: challenge.id,
    method: offered.method,
    to: offered.to,
  });
  if (answer.status === 200) {
    countdown(resend, RESEND_SECONDS, "Send another code");
    say(`A code was sent to ${offered.to}.`);
  } else if (answer.content.code === "challenge_expired") {
    beginAgain();
  } else {
    problem.textContent = `The code could not be sent. ${answer.content.detail}`;
    countdown(resend, answer.retryAfter, "Send another code");
  }
}

/** Ask for the code of one of the methods that the challenge offers, and list the others. */
function choose(offered, { sent = false, focus = true } = {}) {
  chosen = offered;
  const isSent = offered.to !== null;
  const trust = challenge.kind === "client_trust" ? "You have not logged in here before. " : "";
  lead.textContent = trust + METHODS[offered.method].lead(offered.to);
  form.elements.code.inputMode = offered.method === "backup_code" ? "text" : "numeric";
  form.elements.code.autocomplete = offered.method === "backup_code" ? "off" : "one-time-code";
  form.elements.code.value = "";
  bound?.clear();
  document.querySelector(".resend").hidden = !isSent;
  if (isSent) {
    if (sent) countdown(resend, RESEND_SECONDS, "Send another code");
    else send(offered);
  }
  const rest = challenge.methods.filter((other) => other !== offered);
  others.hidden = rest.length === 0;
  document.getElementById("methods").replaceChildren(
    ...rest.map((other) => {
      const button = Object.assign(document.createElement("button"), {
        type: "button",
        className: "link",
        textContent: label(other),
      });
      button.addEventListener("click", () => choose(other));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  if (focus) form.elements.code.focus();
}

let bound = null;
if (challenge === null || Date.parse(challenge.expires_at) < Date.now()) {
  if (challenge === null) location.replace("/login");
  else beginAgain();
} else {
  bound = bind(form, {
    messages: { code: "Please type the code." },
    send: ({ code }) =>
      call("POST", "/auth/login/second-factor", {
        challenge_id: challenge.id,
        method: chosen.method,
        code: code.replaceAll(/\s/g, ""),
      }),
    done: goOn,
    refused: (answer) => {
      if (answer.content.code !== "challenge_expired") return false;
      kept.forget("challenge");
      beginAgain();
      return true;
    },
  });
  resend.addEventListener("click", () => send(chosen));
  choose(challenge.methods[0], { sent: challenge.sent_to !== null, focus: false });
}
