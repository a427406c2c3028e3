// What several pages do: tell a screen reader, count down, remember, and go on to the next page.

import { call } from "./api.js";

/** What is said of a password that must be replaced. */
export const NEW_PASSWORD =
  "Your password was right, but it is not safe to use any more. Please ask for a new one first.";

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

/** Leave a page that is for people who are not logged in. */
export async function leaveIfLoggedIn() {
  if (!localStorage.getItem("logged-in")) return;
  const answer = await call("GET", "/auth/session");
  if (answer.status === 200) location.replace("/");
  else if (answer.status === 401) localStorage.removeItem("logged-in");
}

/** Go on after a login, a second factor or a signup, as its answer says. */
export function goOn(content) {
  if (content.status === "complete") {
    kept.forget("challenge", "signup", "email", "invite");
    localStorage.setItem("logged-in", "yes"); // so that /login knows without asking
    location.replace("/");
  } else if (content.status === "needs_email_verification") {
    kept.put("signup", { ...content, at: Date.now() });
    location.assign("/signup/verify");
  } else if (content.status === "needs_new_password") {
    kept.forget("challenge");
    kept.put("notice", NEW_PASSWORD);
    location.replace("/login");
  } else {
    kept.put("challenge", content.challenge);
    location.assign("/login/second-factor");
  }
}
