// The form for a code, which serves every code that anybody is asked for: it says where the code comes from, has it sent
// and sent again, and offers the other methods.

import { bind } from "./form.js";
import { countdown, say } from "./ui.js";

const METHODS = {
  totp: { name: "Authenticator app", lead: () => "Type the code that your authenticator app shows for AX." },
  backup_code: { name: "Backup code", lead: () => "Type one of the backup codes that you kept. Each works once." },
  sms: { name: "Text message", lead: (to) => `We sent a code to ${to}. It may take a minute.` },
  email: { name: "Email", lead: (to) => `We sent a code to ${to}. It may take a minute.` },
};
const RESEND_SECONDS = 30;
// Refusals after which no code is of any use any more.
const OVER = new Set(["challenge_expired", "signup_ended"]);

function label({ method, to }) {
  return to ? `${METHODS[method].name} to ${to}` : METHODS[method].name;
}

/**
 * Bind the form that the macro `code_form` puts into `root`. `ask(question)` of what it returns asks for a code:
 *
 * - `methods`: those on offer, as the API lists them; the first is asked for.
 * - `wait`: seconds until another code may be sent, if the first method's was sent already.
 * - `send(offered)`: has a code sent. Its answer may say `resend_after`.
 * - `check(code, offered, values)`: tries a code; ends as null when the person turned back.
 * - `done(content)`: goes on after the right one.
 * - `over()`: deals with what was not finished in time.
 * - `lead(offered)`: what is said above the field, if it isn't what is usual for the method.
 * - `focus`: whether the field gets the focus.
 */
export function codeForm(root) {
  const form = root.querySelector("form");
  const field = form.elements.code;
  const lead = root.querySelector(".lead");
  const problem = form.querySelector(".form-error");
  const resend = root.querySelector(".resend");
  const again = resend.querySelector("button");
  const others = root.querySelector(".others");
  let question = null;
  let chosen = null;

  bind(form, {
    messages: { code: "Please type the code." },
    send: (values) => question.check(values.code.replaceAll(/\s/g, ""), chosen, values),
    done: (content) => question.done(content),
    refused: (answer) => {
      if (!OVER.has(answer.content?.code)) return false;
      question.over();
      return true;
    },
  });

  const send = async () => {
    const asked = question;
    const offered = chosen;
    problem.textContent = "";
    again.disabled = true;
    const answer = await asked.send(offered);
    if (asked !== question || offered !== chosen) return; // something else is asked for by now
    if (answer === null) {
      again.disabled = false;
    } else if (answer.status >= 200 && answer.status < 300) {
      countdown(again, answer.content?.resend_after ?? RESEND_SECONDS, "Send another code");
      say(`A code was sent to ${offered.to}.`);
      field.focus();
    } else if (OVER.has(answer.content?.code)) {
      asked.over();
    } else {
      problem.textContent = `The code could not be sent. ${answer.content?.detail ?? ""}`;
      countdown(again, answer.retryAfter, "Send another code");
    }
  };

  const other = (offered) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "link", textContent: label(offered) });
    button.addEventListener("click", () => {
      choose(offered);
      field.focus();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  };

  const choose = (offered, wait) => {
    if (chosen !== null) form.reset(); // but what was typed before this script was there stays
    chosen = offered;
    lead.textContent = question.lead?.(offered) ?? METHODS[offered.method].lead(offered.to);
    field.inputMode = offered.method === "backup_code" ? "text" : "numeric";
    field.autocomplete = offered.method === "backup_code" ? "off" : "one-time-code";
    resend.hidden = offered.to === null;
    if (wait !== undefined) countdown(again, wait, "Send another code");
    else if (offered.to !== null) send();
    const rest = question.methods.filter((method) => method !== offered);
    others.hidden = rest.length === 0;
    others.querySelector("ul").replaceChildren(...rest.map(other));
  };

  again.addEventListener("click", send);
  return {
    ask: (next) => {
      question = next;
      choose(next.methods[0], next.wait);
      if (next.focus) field.focus();
    },
  };
}

/** What is asked by a challenge of the API that is answered below `path`; `call` makes its calls. */
export function ofChallenge(challenge, path, { call, ...more }) {
  const trust = challenge.kind === "client_trust" ? "You have not logged in here before. " : "";
  return {
    methods: challenge.methods,
    wait: challenge.sent_to === null ? undefined : RESEND_SECONDS,
    lead: ({ method, to }) => trust + METHODS[method].lead(to),
    send: ({ method, to }) => call("POST", `${path}/prepare`, { challenge_id: challenge.id, method, to }),
    check: (code, { method }) => call("POST", path, { challenge_id: challenge.id, method, code }),
    ...more,
  };
}
