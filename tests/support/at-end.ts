const cleanups: (() => Promise<unknown>)[] = []

/** Has something done once all test files of this process have ended: for what they share. */
export function atEnd(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup)
}

/** Does it. */
export async function endAll(): Promise<void> {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
}
