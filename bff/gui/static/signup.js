import { call, isOut } from "./api.js";
import { bind } from "./form.js";
import { watch } from "./password-field.js";
import { goOn, kept, leaveIfLoggedIn } from "./ui.js";

const form = document.getElementById("form");

// The link of an invitation may carry its code after the #, which is sent to no server and so lands in no log.
function takeInvite() {
  const invite = new URLSearchParams(location.hash.slice(1)).get("invite");
  if (!invite) return false;
  form.elements.invite.value = invite;
  history.replaceState(null, "", location.pathname);
  return true;
}
const invited = takeInvite();
window.addEventListener("hashchange", takeInvite); // the link was opened while this page was shown

// Somebody came back from the page that asks for the code, perhaps because the address was wrong.
const begun = kept.get("signup") !== null;
if (begun && !invited) {
  form.elements.invite.value = kept.get("invite") ?? "";
  form.elements.email.value = kept.get("email") ?? "";
}

/** Undo the signup that this tab began before, so that its invite can be used again. Returns an outage, or null. */
async function abandon() {
  const signup = kept.get("signup");
  if (signup === null) return null;
  const answer = await call("DELETE", `/auth/signup/${signup.signup_id}`);
  if (isOut(answer)) return answer;
  kept.forget("signup");
  return null;
}

watch(form.elements.password, () =>
  ["email", "first_name", "last_name"].map((name) => form.elements[name].value.trim()).filter(Boolean),
);
bind(form, {
  messages: {
    invite: "Please type the code of your invite.",
    email: "Please type your email address.",
    password: "Please choose a password.",
  },
  send: async (values) =>
    (await abandon()) ??
    call("POST", "/auth/signup", {
      invite: values.invite.trim(),
      email: values.email.trim(),
      password: values.password,
      first_name: values.first_name.trim() || null,
      last_name: values.last_name.trim() || null,
    }),
  done: (content) => {
    kept.put("email", form.elements.email.value.trim());
    kept.put("invite", form.elements.invite.value.trim());
    goOn(content);
  },
});
if (invited || begun) form.elements.email.focus();
window.addEventListener("pageshow", leaveIfLoggedIn);
