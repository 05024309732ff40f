/** The request that failed, as its `X-Request-Id` and the trace of its `traceparent`. */
export interface FailedRequest {
  requestId?: string
  traceId?: string
}

/**
 * Called for failures: with an error, or with a message for the operator.
 *
 * @param request the request whose response is a 500 because of it, if any
 */
export type OnError = (error: unknown, request?: FailedRequest) => void

/**
 * Wraps an app's callback, so that nobody has to expect it to fail: a rejection that nobody handles would end the process.
 *
 * @param onFailure called with what it throws, or rejects with if it is asynchronous
 */
export function guarded<Arguments extends readonly unknown[]>(
  callback: (...given: Arguments) => unknown,
  onFailure: (error: unknown) => void,
): (...given: Arguments) => void {
  return (...given) => {
    try {
      const result = callback(...given)
      if (result instanceof Promise) result.catch(onFailure)
    } catch (error) {
      onFailure(error)
    }
  }
}
