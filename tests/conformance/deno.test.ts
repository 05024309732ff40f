import { onDeno } from '../support/on-deno.ts'
import { describeRuntime } from './runtime/runtime.ts'
import { startProcess } from './start-process.ts'

describeRuntime('deno', startProcess(onDeno('sqlite')))
describeRuntime('deno with deno-kv', startProcess(onDeno('deno-kv')), { batchEvents: 32 })
