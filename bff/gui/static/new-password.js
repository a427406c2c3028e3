import { call } from "./api.js";
import { bind } from "./form.js";
import { watch } from "./password-field.js";
import { endReset, goOn, kept } from "./ui.js";

const form = document.getElementById("form");
const reset = kept.get("reset");

if (!reset?.proven) {
  location.replace("/forgot");
} else if (Date.parse(reset.expires_at) < Date.now()) {
  endReset();
} else {
  form.elements.username.defaultValue = reset.email ?? "";
  watch(form.elements.new_password, () => [reset.email].filter(Boolean));
  bind(form, {
    messages: { new_password: "Please choose a password." },
    send: ({ new_password: password }) =>
      call("POST", "/auth/password/reset/complete", { reset_id: reset.reset_id, new_password: password }),
    done: goOn,
    refused: (answer) => {
      if (answer.content?.code !== "challenge_expired") return false;
      endReset();
      return true;
    },
  });
}
