import { call } from "./api.js";
import { codeForm, ofChallenge } from "./code.js";
import { goOn, kept } from "./ui.js";

const challenge = kept.get("challenge");

function beginAgain() {
  kept.forget("challenge");
  kept.put("notice", "That login took too long, or had too many wrong codes. Please begin again.");
  location.replace("/login");
}

if (challenge === null) {
  location.replace("/login");
} else if (Date.parse(challenge.expires_at) < Date.now()) {
  beginAgain();
} else {
  codeForm(document.getElementById("code-form")).ask(
    ofChallenge(challenge, "/auth/login/second-factor", { call, done: goOn, over: beginAgain }),
  );
}
