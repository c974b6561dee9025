/** Node's timers as they were before any code of a function ran: fake timers and DOM libraries replace the global ones, and theirs may return numbers or never fire. */
export const timers = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: globalThis.setImmediate,
};
