/** Why an engine can't be opened, in a sentence for the operator that says what to do. */
export class EngineOpenError extends Error {
  override readonly name = 'EngineOpenError'
}
