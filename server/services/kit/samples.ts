/** A text file of a sample. */
export interface SampleFile {
  path: string
  text: string
}

/** Input to try the services with. Plain JSON, so that it can be made where there is a disk, and embedded for where there is none. */
export interface Samples {
  /** A corpus to analyse, and a tree to copy. */
  texts: SampleFile[]
  /** The paths of the texts that are in the target of the copy from the start. */
  present: string[]
  /** Two CSV lists of the same things under names that differ. */
  lists: { left: SampleFile; right: SampleFile }
}

/** A file of a sample as if it had been uploaded. */
export function toFile({ path, text }: SampleFile): File {
  return new File([text], path, { type: 'text/plain' })
}
