import { Refusal } from '../refusal.ts'
import type { FileField, ServiceOffer } from './services.ts'

type Chosen = Readonly<Record<string, readonly File[]>>

/** The fields of a service that still need files. */
export function missingFields(service: Pick<ServiceOffer, 'fields'>, chosen: Chosen): FileField[] {
  return service.fields.filter(({ name, optional }) => !optional && (chosen[name]?.length ?? 0) === 0)
}

/** The form of a service. Files of a folder carry their path within it: their name alone would not tell them apart. */
export function buildForm(service: Pick<ServiceOffer, 'fields'>, chosen: Chosen): FormData {
  const form = new FormData()
  for (const { name } of service.fields) {
    for (const file of chosen[name] ?? []) form.append(name, file, file.webkitRelativePath || file.name)
  }
  return form
}

/** A refusal that names fields as the form does: the API has other names for them. */
export function withLabels(error: unknown, { fields }: Pick<ServiceOffer, 'fields'>): unknown {
  if (!(error instanceof Refusal) || !error.problem?.errors) return error
  const labelOf = (name: string) => fields.find((field) => field.name === name)?.label ?? name
  const detail = error.problem.errors.map((flaw) => `${labelOf(flaw.field)}: ${flaw.detail}`).join('; ')
  return new Refusal(error.status, { ...error.problem, detail })
}
