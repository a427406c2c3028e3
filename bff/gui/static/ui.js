// What several pages do: tell a screen reader, count down, remember, and go on to the next page.

import { call } from "./api.js";

/** Have a screen reader say it: in the topmost dialog if one is open, as what lies under it is not heard. */
export function say(text) {
  const spoken = [...document.querySelectorAll("dialog[open] [role=status]")].at(-1);
  (spoken ?? document.getElementById("status")).textContent = text;
}

/** Seconds in words. */
export function wait(seconds) {
  if (seconds >= 120) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? "a second" : `${Math.max(1, Math.ceil(seconds))} seconds`;
}

/** Let a button be pressed again only after some seconds, and say how many are left. */
export function countdown(button, seconds, text) {
  const end = Date.now() + seconds * 1000;
  clearInterval(button.timer);
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${text} (in ${wait(left)})` : text;
    if (left <= 0) clearInterval(button.timer);
  };
  tick();
  button.timer = setInterval(tick, 500);
}

/** What one page leaves for the next, in this tab alone. */
export const kept = {
  put: (name, value) => sessionStorage.setItem(name, JSON.stringify(value)),
  get: (name) => JSON.parse(sessionStorage.getItem(name) ?? "null"),
  forget: (...names) => names.forEach((name) => sessionStorage.removeItem(name)),
};

/** Say above a form's button what the page before left to be said. */
export function showNotice(form) {
  if (kept.get("notice")) form.querySelector(".form-error").textContent = kept.get("notice");
  kept.forget("notice");
}

/** Keep the reset of a password that has begun; no password is ever kept. */
export function beginReset(content) {
  kept.put("reset", { method: "email", ...content, email: kept.get("email"), at: Date.now() });
}

/** Go back to where resets begin. */
export function endReset() {
  kept.forget("reset");
  kept.put("notice", "That took too long, or had too many wrong codes. Please begin again.");
  location.replace("/forgot");
}

/** Leave a page that is for people who are not logged in. */
export async function leaveIfLoggedIn() {
  if (!localStorage.getItem("logged-in")) return;
  const answer = await call("GET", "/auth/session");
  if (answer.status === 200) location.replace("/");
  else if (answer.status === 401) localStorage.removeItem("logged-in");
}

/** Go on after a login, a second factor, a signup or a new password, as its answer says. */
export function goOn(content) {
  if (content.status === "complete") {
    kept.forget("challenge", "reset", "signup", "email", "invite");
    localStorage.setItem("logged-in", "yes"); // so that /login knows without asking
    location.replace("/");
  } else if (content.status === "needs_email_verification") {
    kept.put("signup", { ...content, at: Date.now() });
    location.assign("/signup/verify");
  } else if (content.status === "needs_new_password" || content.status === "needs_code") {
    kept.forget("challenge");
    beginReset(content);
    location.replace("/forgot/code");
  } else {
    kept.forget("reset");
    kept.put("challenge", content.challenge);
    location.assign("/login/second-factor");
  }
}
