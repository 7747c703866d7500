/**
 * A pause keeps the guard from acting. Whoever ends the pause has seen that the leader's key is held, and it may have
 * been taken after the guard's last look at it: between that look and the question for the pause lie a few hundred
 * milliseconds, on a busy machine a second. So nothing is done before the key has been looked at once more.
 */
export class Reprieve {
  #isOwed = false;

  /** The key was seen to be ours: what was before counts no more. */
  forget(): void {
    this.#isOwed = false;
  }

  /** Whether PostgreSQL is spared this time. */
  grants(isPaused: boolean): boolean {
    const isSpared = isPaused || this.#isOwed;
    this.#isOwed = isPaused;
    return isSpared;
  }
}
