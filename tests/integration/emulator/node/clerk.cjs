// One of Clerk's SDKs for JavaScript, driven over standard input: a line of JSON says what to call, a line answers.
const readline = require("node:readline");

const [sdk, url, publishableKey, secretKey] = process.argv.slice(2);

// What the SDKs have to say belongs to nobody's answers.
for (const level of ["debug", "info", "log", "warn"]) {
  console[level] = console.error;
}

const SDKS = {
  // As React Native runs it: a window without a location, no cookies, the client's token in a header.
  async "clerk-js"() {
    globalThis.window = globalThis;
    const { Clerk } = require("@clerk/clerk-js");
    const clerk = new Clerk(publishableKey, { proxyUrl: url });
    let token = "";
    clerk.__internal_onBeforeRequest((request) => {
      request.credentials = "omit";
      request.url.searchParams.append("_is_native", "1");
      request.headers.set("authorization", token);
    });
    clerk.__internal_onAfterResponse((_request, response) => {
      token = response.headers.get("authorization") ?? token;
    });
    await clerk.load({ standardBrowser: false, telemetry: false });
    return clerk;
  },
  async backend() {
    const { createClerkClient, verifyToken } = require("@clerk/backend");
    const options = { secretKey, apiUrl: url, telemetry: { disabled: true } };
    return {
      ...createClerkClient(options),
      verifyToken: (token) => verifyToken(token, options),
    };
  },
};

let latest;

// Names are joined by dots: user.phoneNumbers.0.destroy. `latest` is what the latest function returned.
async function call(root, path, given) {
  const names = path.split(".");
  const name = names.pop();
  const owner = names.reduce((thing, part) => (part === "latest" ? latest : thing[part]), root);
  if (typeof owner[name] !== "function") {
    return owner[name];
  }
  latest = await owner[name](...given);
  return latest;
}

// Some of what clerk-js keeps in its resources needs the location of a page to be read.
function withoutInternals(name, value) {
  return name.startsWith("__internal") ? undefined : value;
}

async function main() {
  const root = await SDKS[sdk]();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [path, ...given] = JSON.parse(line);
    let answer;
    try {
      answer = { value: await call(root, path, given) };
    } catch (error) {
      answer = { code: error.errors?.[0]?.code ?? String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer, withoutInternals)}\n`);
  }
  process.exit(); // timers of clerk-js would keep it
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
