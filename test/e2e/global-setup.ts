// Before all tests: what two files at once would install at the same time.

/** Importing it installs kcat, or says why it cannot be. */
export async function setup(): Promise<void> {
  await import('./kcat.ts');
}
