/** A text file of a sample. */
export interface SampleFile {
  path: string
  text: string
}

/**
 * Input to try the services with. Plain JSON, so that it can be made where there is a disk, and embedded for where there is none; what
 * could not be made is left out.
 */
export interface Samples {
  /** A tree to copy; the paths in `present` are in the target from the start. */
  sync?: { files: SampleFile[]; present: string[] }
  /** A corpus. */
  analysis?: SampleFile[]
  /** Two CSV lists of the same things under names that differ. */
  matching?: { left: SampleFile; right: SampleFile }
}

/** A file of a sample as if it had been uploaded. */
export function toFile({ path, text }: SampleFile): File {
  return new File([text], path, { type: 'text/plain' })
}
