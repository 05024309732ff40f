/** Answers what came of a job in Durable Objects. */
import { DurableObjectEngine, type ObjectBindings } from 'milepost/engines/durable-object'
import { reportOn } from './report.ts'

export { JobObject, OwnerObject } from 'milepost/engines/durable-object'

export default {
  async fetch(_request: Request, bindings: ObjectBindings): Promise<Response> {
    return new Response(await reportOn(new DurableObjectEngine(bindings)))
  },
}
