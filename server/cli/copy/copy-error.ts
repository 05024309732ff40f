/** A copy can't be made, or not be finished. The message tells what to do. */
export class CopyError extends Error {
  override readonly name = 'CopyError'
  readonly exitCode: number

  constructor(message: string, options: ErrorOptions & { exitCode?: number } = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
  }
}
