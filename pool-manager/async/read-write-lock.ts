/** A fair lock: any number of shared holders or one exclusive holder, in the order of arrival. */
export class ReadWriteLock {
  #shared = 0;
  #exclusive = false;
  readonly #waiting: { exclusive: boolean; start: () => void }[] = [];

  shared<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(false, work);
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(true, work);
  }

  async #run<T>(exclusive: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ exclusive, start });
      this.#next();
    });
    try {
      return await work();
    } finally {
      if (exclusive) this.#exclusive = false;
      else this.#shared -= 1;
      this.#next();
    }
  }

  #next(): void {
    for (let head = this.#waiting[0]; head && !this.#exclusive && !(head.exclusive && this.#shared > 0); head = this.#waiting[0]) {
      this.#waiting.shift();
      if (head.exclusive) this.#exclusive = true;
      else this.#shared += 1;
      head.start();
    }
  }
}
