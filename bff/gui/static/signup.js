import { call } from "./api.js";
import { bind } from "./form.js";
import { goOn, kept } from "./ui.js";

const form = document.getElementById("form");

// A link of an invitation may carry its code behind the #, which no server sees.
const invite = new URLSearchParams(location.hash.slice(1)).get("invite");
if (invite) {
  form.elements.invite.value = invite;
  history.replaceState(null, "", location.pathname);
}

bind(form, {
  messages: {
    invite: "Please type the code of your invite.",
    email: "Please type your email address.",
    password: "Please choose a password.",
  },
  send: (values) =>
    call("POST", "/auth/signup", {
      invite: values.invite.trim(),
      email: values.email.trim(),
      password: values.password,
      first_name: values.first_name.trim() || null,
      last_name: values.last_name.trim() || null,
    }),
  done: (content) => {
    kept.put("email", form.elements.email.value.trim());
    goOn(content);
  },
});
if (invite) form.elements.email.focus();
