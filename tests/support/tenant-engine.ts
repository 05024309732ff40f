import type { Engine, JobToCreate } from '../../server/jobs/engine.ts'
import { documentsOf } from '../../server/jobs/tenant-documents.ts'

/**
 * The documents of a tenant, with what an engine has beside them. What is due, and all of the store, is for the server alone.
 *
 * Each job that is created has neighbours with the same names, in another tenant and without one: nothing of them may be seen or counted.
 */
export function tenantEngine(engine: Engine, tenant: string): Engine {
  const documents = documentsOf(engine, tenant)
  const neighbours = [engine, documentsOf(engine, `${tenant}2`)]
  const methods: Partial<Engine> = {
    check: () => engine.check(),
    close: () => engine.close(),
    create: async (job: JobToCreate) => {
      for (const neighbour of neighbours) await neighbour.create(job)
      return documents.create(job)
    },
  }
  return new Proxy(engine, {
    get(target, name) {
      if (name === 'due' || name === 'transfer') return undefined
      if (name in methods) return Reflect.get(methods, name)
      const from = name in documents ? documents : target
      const value: unknown = Reflect.get(from, name)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}
