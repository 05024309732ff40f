import { onBun } from '../support/server-process.ts'
import { describeRuntime } from './runtime/runtime.ts'
import { startProcess } from './start-process.ts'

describeRuntime('bun', startProcess(onBun))
