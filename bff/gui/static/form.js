// What all forms do: show that they wait, put errors beside their fields, and try again while a service is out.

import { isOut } from "./api.js";
import { say, wait } from "./ui.js";

const AUTOMATIC_RETRIES = 3;

// What is wrong with a value that was typed, by the field's name.
const CHECKS = {
  email: (value) => (/^\S+@\S+$/.test(value) ? "" : "This is not an email address."),
  number: (value) =>
    /^\+[1-9]\d{6,14}$/.test(phoneNumber(value)) ? "" : "Please type the whole number, with your country's code.",
};

/**
 * Send a form by a call instead of the browser's own way. `send(values)` makes the call, or ends as null when the person
 * turned back; `done(content, status)` goes on after a success. `refused(answer)` may deal with a refusal itself: if it
 * returns true, the form says nothing. `messages` has what to say of a required field that was left empty, by its name.
 *
 * A form that stays on its page is made ready for the next time by `form.reset()`.
 */
export function bind(form, { send, done, refused = () => false, messages = {} }) {
  const button = form.querySelector("button[type=submit]");
  const problem = form.querySelector(".form-error");
  const panel = form.parentElement.querySelector(".unavailable");
  const reveals = [...form.querySelectorAll(".reveal")];
  const fields = [...form.querySelectorAll(".field input")];
  let busy = false;
  let retries = 0;
  let outage = null;

  const show = (name, text) => {
    const input = form.elements[name];
    input.setAttribute("aria-invalid", "true");
    input.closest(".field").querySelector(".error").textContent = text;
  };

  const clear = () => {
    problem.textContent = "";
    for (const input of fields) {
      input.removeAttribute("aria-invalid");
      input.closest(".field").querySelector(".error").textContent = "";
    }
  };

  const focusFirstError = () => form.querySelector("[aria-invalid=true]")?.focus();

  const missing = () => {
    for (const input of fields) {
      const value = input.value.trim();
      const flaw = value
        ? CHECKS[input.name]?.(value)
        : input.required && (messages[input.name] ?? "Please fill this in.");
      if (flaw) show(input.name, flaw);
    }
    return form.querySelector("[aria-invalid=true]") !== null;
  };

  const setBusy = (value) => {
    busy = value;
    button.setAttribute("aria-busy", String(value));
    button.setAttribute("aria-disabled", String(value));
    if (value) say("One moment…");
  };

  const tell = (answer) => {
    const errors = answer.content?.errors ?? [];
    const known = errors.filter((error) => form.elements[error.field]);
    for (const error of known) show(error.field, error.detail);
    if (known.length === 0) {
      problem.textContent =
        answer.status === 429
          ? `Too many attempts. Please wait ${wait(answer.retryAfter)}, then try again.`
          : (answer.content?.detail ?? "That did not work. Please try again.");
      (form.elements.password ?? form.elements.code)?.select();
    }
    say("");
    focusFirstError();
  };

  const submit = async () => {
    if (busy) return;
    clear();
    if (missing()) {
      focusFirstError();
      return;
    }
    setBusy(true);
    const values = Object.fromEntries(new FormData(form));
    const answer = await send(values);
    if (answer === null) {
      setBusy(false);
      say("");
      return;
    }
    if (answer.status >= 200 && answer.status < 300) {
      await done(answer.content, answer.status); // the page is about to be left, and stays busy until then
      return;
    }
    setBusy(false);
    if (isOut(answer)) {
      outage = unavailable(panel, answer, retries++ < AUTOMATIC_RETRIES, () => {
        form.hidden = false;
        submit();
      });
      form.hidden = true;
      return;
    }
    retries = 0;
    if (!(await refused(answer))) tell(answer);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("reset", () => {
    clear();
    setBusy(false);
    outage?.end();
    form.hidden = false;
    retries = 0;
    for (const reveal of reveals) showPassword(reveal, false);
  });
  for (const reveal of reveals) {
    reveal.addEventListener("click", () => showPassword(reveal, reveal.textContent === "Show"));
  }
  button.disabled = false; // the page comes with it disabled, or the browser would send the form itself
  window.addEventListener("pageshow", () => setBusy(false)); // the browser's Back shows the page as it was left, busy
  form.querySelector("input:not([value])")?.focus();
  return { clear };
}

/** A phone number as the API takes it, however it was typed. */
export function phoneNumber(typed) {
  return typed.replaceAll(/[\s()./-]/g, "").replace(/^00/, "+");
}

function showPassword(reveal, shown) {
  document.getElementById(reveal.getAttribute("aria-controls")).type = shown ? "text" : "password";
  reveal.textContent = shown ? "Hide" : "Show";
  reveal.setAttribute("aria-label", shown ? "Hide the password" : "Show the password");
}

/**
 * Say that a service is out, and call `again` when the button is pressed, or if `automatic` when the time has come.
 * `end()` of what it returns gives that up.
 */
export function unavailable(panel, answer, automatic, again) {
  const text = panel.querySelector(".retrying");
  const [what] = panel.getElementsByTagName("p");
  panel.dataset.says ??= what.textContent;
  what.textContent = answer.status === 0 ? answer.content.detail : panel.dataset.says;
  const button = panel.querySelector(".retry");
  let left = Math.min(Math.max(answer.retryAfter, 3), 60);
  let timer;
  const end = () => {
    clearInterval(timer);
    panel.hidden = true;
  };
  const go = () => {
    end();
    again();
  };
  const tick = () => {
    text.textContent = automatic ? `Trying again in ${wait(left)}.` : "";
    if (automatic && left-- <= 0) go();
  };
  // oxlint-disable-next-line prefer-add-event-listener -- it takes the place of the one from the outage before
  button.onclick = go;
  panel.hidden = false;
  panel.focus();
  say(what.textContent);
  tick();
  if (automatic) timer = setInterval(tick, 1000);
  return { end };
}
