/** A text file of a sample. */
export interface SampleFile {
  path: string
  text: string
}

/** Sample input of the services. Plain JSON, so that the build can embed it for runtimes without a disk. */
export interface Samples {
  /** A corpus to analyse, and a tree to copy. */
  texts: SampleFile[]
  /** Paths of the texts that the target of the copy has from the start. */
  present: string[]
  /** Two CSV lists of the same things, with names that are spelt differently. */
  lists: { left: SampleFile; right: SampleFile }
}

/** A file of a sample as if it had been uploaded. */
export function toFile({ path, text }: SampleFile): File {
  return new File([text], path, { type: 'text/plain' })
}
