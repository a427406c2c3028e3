// Re-authentication in place: a call that needs a proof of who one is asks for it in a dialog, and is then made again.

import { codeForm, ofChallenge } from "./code.js";
import { bind } from "./form.js";
import { callSignedIn } from "./session.js";
import { goOn as leaveFor } from "./ui.js";

const PATH = "/auth/reauthenticate";

const dialog = document.getElementById("reauthentication");
const form = document.getElementById("proof");
const first = document.getElementById("first-step");
const second = document.getElementById("second-step");
const problem = form.querySelector(".form-error");
const code = codeForm(document.getElementById("proof-code-form"));
let finish = null;

/** Let nothing that was typed stay. */
function forget() {
  for (const each of dialog.querySelectorAll("form")) each.reset();
}

function begin(text) {
  first.hidden = false;
  second.hidden = true;
  form.reset();
  problem.textContent = text;
  form.elements.password.focus();
}

function goOn(content) {
  if (!dialog.open) return; // the person turned back meanwhile
  if (content.status === "complete") {
    finish(true);
  } else if (content.status === "needs_new_password") {
    leaveFor(content);
  } else {
    first.hidden = true;
    second.hidden = false;
    code.ask(
      ofChallenge(content.challenge, `${PATH}/second-factor`, {
        call: callSignedIn,
        done: goOn,
        over: () => begin("That took too long, or had too many wrong codes. Please begin again."),
        focus: true,
      }),
    );
  }
}

/** Whether somebody proved who they are; false when they turned back. */
function prove() {
  return new Promise((resolve) => {
    finish = (proven) => {
      finish = null;
      forget(); // at once: the dialog's event for it may come late
      resolve(proven);
      dialog.close();
    };
    dialog.showModal();
    begin("");
  });
}

/** Make a call as one who is logged in; null when it needs a proof of who one is and the person turned back. */
export async function callProven(method, path, body) {
  const answer = await callSignedIn(method, path, body);
  if (answer.content?.code !== "reauthentication_required") return answer;
  if (!(await prove())) return null;
  return callProven(method, path, body);
}

bind(form, {
  messages: { password: "Please type your password." },
  send: ({ password }) => callSignedIn("POST", PATH, { password }),
  done: goOn,
});
dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  forget();
  finish?.(false);
});
