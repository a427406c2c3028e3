import { call } from "./api.js";
import { bind } from "./form.js";
import { goOn, kept, leaveIfLoggedIn } from "./ui.js";

const form = document.getElementById("form");
const problem = form.querySelector(".form-error");

const lastEmail = kept.get("email");
if (lastEmail) form.elements.email.value = lastEmail;
if (kept.get("notice")) {
  problem.textContent = kept.get("notice");
  kept.forget("notice");
}

bind(form, {
  messages: { email: "Please type your email address.", password: "Please type your password." },
  send: ({ email, password }) => call("POST", "/auth/login", { email: email.trim(), password }),
  done: (content) => {
    kept.put("email", form.elements.email.value.trim());
    goOn(content);
  },
});
if (lastEmail) form.elements.password.focus();
window.addEventListener("pageshow", leaveIfLoggedIn);
