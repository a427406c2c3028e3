import { call } from "./api.js";
import { bind } from "./form.js";
import { beginReset, kept, showNotice } from "./ui.js";

const form = document.getElementById("form");

form.elements.email.value = kept.get("email") ?? "";
showNotice(form);

bind(form, {
  messages: { email: "Please type your email address." },
  send: ({ email }) => call("POST", "/auth/password/reset", { email: email.trim(), method: "email" }),
  done: (content) => {
    kept.put("email", form.elements.email.value.trim());
    beginReset(content);
    location.assign("/forgot/code");
  },
});
