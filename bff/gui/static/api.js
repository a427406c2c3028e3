// Calls to the JSON API. A call never throws: it ends as { status, content, retryAfter }, with status 0 if no answer came.

const NO_ANSWER = {
  status: 0,
  content: { code: "unreachable", detail: "We could not be reached. Check your connection, then try again." },
  retryAfter: 2,
};

export async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(path, options);
    const text = await answer.text();
    return {
      status: answer.status,
      content: text ? JSON.parse(text) : null,
      retryAfter: Number(answer.headers.get("Retry-After")) || 0,
    };
  } catch {
    return NO_ANSWER;
  }
}

/** Whether the service is out, or out of reach; otherwise it has answered, if only to refuse. */
export function isOut(answer) {
  return answer.status === 0 || answer.status >= 500;
}
