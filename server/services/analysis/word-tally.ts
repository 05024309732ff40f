import { largest } from '../kit/largest.ts'

/** Most different words that are counted. Beyond that the rarest are dropped: a text may be noise. */
export const MAX_WORDS = 200_000
/** Words processed between two checkpoints. */
const TURN = 4_096
/** Frequent words of a file that are kept until all files were counted. */
const CANDIDATES = 20

/** A word and how often it occurs. */
export interface WordCount {
  word: string
  count: number
}

/** The counts of one file. */
export interface FileTally {
  words: number
  distinct: number
  frequent: WordCount[]
}

/** Counts the words of many files, one after the other, in bounded memory. */
export class WordTally {
  /** Of all files that ended. */
  words = 0
  /** Whether rare words were dropped: then counts, and {@link distinct}, are too low. */
  approximate = false
  readonly #counts = new Map<string, number>()
  /** Number of files with each word. */
  readonly #files = new Map<string, number>()
  #fileCount = 0
  #file = new Map<string, number>()
  #fileWords = 0
  readonly #checkpoint: () => Promise<void>
  #passed = 0

  /** @param checkpoint awaited between two pieces of work: see `createCheckpoint` */
  constructor(checkpoint: () => Promise<void>) {
    this.#checkpoint = checkpoint
  }

  /** How many different words there are. */
  get distinct(): number {
    return this.#counts.size
  }

  /** Counts words of the current file. */
  async add(words: readonly string[]): Promise<void> {
    for (const word of words) this.#file.set(word, (this.#file.get(word) ?? 0) + 1)
    this.#fileWords += words.length
    await this.#bound(this.#file)
  }

  /** Ends the current file. */
  async endFile(): Promise<FileTally> {
    const tally = { words: this.#fileWords, distinct: this.#file.size, frequent: top(this.#file, CANDIDATES) }
    for (const [word, count] of this.#file) {
      if (this.#isTurnOver()) await this.#checkpoint()
      this.#counts.set(word, (this.#counts.get(word) ?? 0) + count)
      this.#files.set(word, (this.#files.get(word) ?? 0) + 1)
    }
    if (await this.#bound(this.#counts)) {
      for (const word of this.#files.keys()) {
        if (this.#isTurnOver()) await this.#checkpoint()
        if (!this.#counts.has(word)) this.#files.delete(word)
      }
    }
    this.words += this.#fileWords
    this.#fileCount += 1
    this.dropFile()
    return tally
  }

  /** Discards the current file, because it is not text. */
  dropFile(): void {
    this.#file = new Map()
    this.#fileWords = 0
  }

  /** The most frequent words. */
  top(count: number): WordCount[] {
    return top(this.#counts, count)
  }

  /** The longest words. */
  longest(count: number): string[] {
    return largest(this.#counts.keys(), count, (word) => word.length)
  }

  /** The most typical word of a file, by tf–idf with the logarithm of tf. */
  typical({ frequent }: FileTally): string | undefined {
    const rarity = (word: string) => Math.log(this.#fileCount / (this.#files.get(word) ?? 1))
    return largest(frequent, 1, ({ word, count }) => (1 + Math.log(count)) * rarity(word))[0]?.word
  }

  /** Drops the rarest words if there are too many. Returns whether it did. */
  async #bound(counts: Map<string, number>): Promise<boolean> {
    if (counts.size <= MAX_WORDS) return false
    this.approximate = true
    for (let rarest = 1; counts.size > MAX_WORDS / 2; rarest++) {
      for (const [word, count] of counts) {
        if (this.#isTurnOver()) await this.#checkpoint()
        if (count <= rarest) counts.delete(word)
      }
    }
    return true
  }

  #isTurnOver(): boolean {
    this.#passed += 1
    return this.#passed % TURN === 0
  }
}

function top(counts: Map<string, number>, count: number): WordCount[] {
  return largest(counts, count, ([, times]) => times).map(([word, times]) => ({ word, count: times }))
}
