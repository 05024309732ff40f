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
