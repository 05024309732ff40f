import type { AnswerValue, AskField, AskSchema } from './ask-schema.ts'

/** Most JSON of one answer: characters. */
const ANSWER_LENGTH = 10_000

interface Flaw {
  field: string
  detail: string
}

/** What a form asks for: its fields by name; one without a name is the whole answer. */
export function fieldsOf(
  schema: AskSchema = { type: 'boolean' },
): { name?: string; field: AskField; required: boolean }[] {
  if (schema.type !== 'object') return [{ field: schema, required: true }]
  const { properties, required = [] } = schema
  return Object.entries(properties).map(([name, field]) => ({ name, field, required: required.includes(name) }))
}

/** What is wrong with an answer, by field: `value`, or `value.name`. Empty: nothing. */
export function flawsOfAnswer(schema: AskSchema | undefined, value: AnswerValue): Flaw[] {
  const flaws = flawsOfFields(schema, value)
  if (flaws.length > 0 || JSON.stringify(value).length <= ANSWER_LENGTH) return flaws
  return [{ field: 'value', detail: `must be at most ${ANSWER_LENGTH} characters of JSON` }]
}

function flawsOfFields(schema: AskSchema | undefined, value: AnswerValue): Flaw[] {
  if (schema?.type !== 'object') {
    const detail = flawOf(schema ?? { type: 'boolean' }, value)
    return detail === undefined ? [] : [{ field: 'value', detail }]
  }
  if (typeof value !== 'object') return [{ field: 'value', detail: 'must be an object' }]
  const flaws: Flaw[] = []
  for (const { name = '', field, required } of fieldsOf(schema)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    const detail = given === undefined ? (required ? 'is required' : undefined) : flawOf(field, given)
    if (detail !== undefined) flaws.push({ field: `value.${name}`, detail })
  }
  for (const name of Object.keys(value))
    if (!Object.hasOwn(schema.properties, name)) flaws.push({ field: `value.${name}`, detail: 'is not a known field' })
  return flaws
}

function flawOf(field: AskField, value: AnswerValue): string | undefined {
  if (field.type === 'boolean') return typeof value === 'boolean' ? undefined : 'must be true or false'
  if (field.type === 'string') {
    const { enum: choices, minLength = 0, maxLength = 8_192 } = field
    if (typeof value !== 'string') return 'must be text'
    if (choices) return choices.includes(value) ? undefined : `must be one of: ${choices.join(', ')}`
    if (value.length < minLength) return `must have at least ${minLength} characters`
    return value.length > maxLength ? `must have at most ${maxLength} characters` : undefined
  }
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = field
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number'
  if (field.type === 'integer' && !Number.isInteger(value)) return 'must be a whole number'
  if (value < minimum) return `must be at least ${minimum}`
  return value > maximum ? `must be at most ${maximum}` : undefined
}
