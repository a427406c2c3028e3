// What the pages do that are for people who are logged in.

import { call } from "./api.js";
import { kept } from "./ui.js";

/** Go to the login, from a session that is over. */
export function leave(notice) {
  if (notice && localStorage.getItem("logged-in")) kept.put("notice", notice);
  localStorage.removeItem("logged-in");
  location.replace("/login");
}

/** Make a call. When the session turns out to be over, the page is left, and the call never ends. */
export async function callSignedIn(method, path, body) {
  const answer = await call(method, path, body);
  if (answer.content?.code !== "session_required") return answer;
  leave("You are not logged in any more. Please log in again.");
  return new Promise(() => {});
}
