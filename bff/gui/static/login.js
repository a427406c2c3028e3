import { call } from "./api.js";
import { bind } from "./form.js";
import { goOn, kept, leaveIfLoggedIn, showNotice } from "./ui.js";

const form = document.getElementById("form");

const lastEmail = kept.get("email");
if (lastEmail) form.elements.email.value = lastEmail;
showNotice(form);

bind(form, {
  messages: { email: "Please type your email address.", password: "Please type your password." },
  send: ({ email, password }) => call("POST", "/auth/login", { email: email.trim(), password }),
  done: (content) => {
    kept.put("email", form.elements.email.value.trim());
    goOn(content);
  },
});
if (lastEmail) form.elements.password.focus();
document.getElementById("forgot").addEventListener("click", () => {
  kept.put("email", form.elements.email.value.trim()); // which need not be typed again there
});
window.addEventListener("pageshow", leaveIfLoggedIn);
