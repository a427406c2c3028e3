// Backup codes are shown once: they are to be copied, downloaded or printed, and one goes on when they are kept.

import { say } from "./ui.js";

const view = document.getElementById("backup-codes");
const list = document.getElementById("codes");
const form = document.getElementById("kept");
const error = document.getElementById("kept-error");
const tick = form.elements.kept;
let goOn = null;

function text() {
  return [...list.children].map((item) => `${item.textContent}\n`).join("");
}

/** Whether there are codes that nobody said to have kept. */
export function areShown() {
  return list.children.length > 0;
}

/** Ask to keep the codes first. */
export function insist() {
  error.textContent = "Please keep the codes first, and say so here.";
  tick.setAttribute("aria-invalid", "true");
  tick.focus();
}

function keepOpen(event) {
  event.preventDefault();
}

/** Have a text on the clipboard, and say so on the button. */
export async function copy(button, copied) {
  button.dataset.says ??= button.textContent;
  const done = await navigator.clipboard.writeText(copied).then(
    () => true,
    () => false,
  );
  button.textContent = done ? "Copied" : "Could not be copied";
  say(button.textContent);
  setTimeout(() => Object.assign(button, { textContent: button.dataset.says }), 3000);
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`Backup codes for AX. Each works once.\n\n${text()}`]));
  link.download = "ax-backup-codes.txt";
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Put codes into the view, and call `done` when the person says that they are kept. */
export function showCodes(codes, done) {
  goOn = done;
  list.replaceChildren(...codes.map((code) => Object.assign(document.createElement("li"), { textContent: code })));
  form.reset();
  window.addEventListener("beforeunload", keepOpen);
}

form.addEventListener("reset", () => {
  error.textContent = "";
  tick.removeAttribute("aria-invalid");
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!tick.checked) {
    insist();
    return;
  }
  window.removeEventListener("beforeunload", keepOpen);
  list.replaceChildren();
  goOn();
});
view.querySelector("#copy").addEventListener("click", (event) => copy(event.currentTarget, text()));
view.querySelector("#download").addEventListener("click", download);
view.querySelector("#print").addEventListener("click", () => window.print());
form.querySelector("button").disabled = false;
