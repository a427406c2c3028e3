// Scores passwords in a worker of its own: what it is told stays in this browser, and typing never waits for it. The policy
// that the server sends with this file lets it load the scripts below, and speak to nobody.

importScripts("vendor/zxcvbn-ts.core.js", "vendor/zxcvbn-ts.common.js", "vendor/zxcvbn-ts.en.js");

const { core, "language-common": common, "language-en": english } = self.zxcvbnts;
const zxcvbn = new core.ZxcvbnFactory({
  dictionary: { ...common.dictionary, ...english.dictionary },
  graphs: common.adjacencyGraphs,
  translations: english.translations,
});

self.addEventListener("message", ({ data: { typed, known } }) => {
  const { score, feedback } = zxcvbn.check(typed, known);
  // oxlint-disable-next-line require-post-message-target-origin -- only windows have it
  self.postMessage({ score, warning: feedback.warning });
});
