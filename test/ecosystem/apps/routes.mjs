/** The routes of every app, whatever its framework: one for each thing that clients notice. */
export const LARGE = "0123456789abcdef".repeat(5 * 2 ** 16);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Clients that left while they were waited for. */
export const left = { count: 0 };

/** Two pieces, of which the first comes late. */
export async function* pieces() {
  await sleep(300);
  yield "late ";
  await sleep(100);
  yield "last";
}
