import { z } from 'zod'

/** Most fields of the form of one ask, and most choices of one field. */
const FIELDS = 20
const CHOICES = 50
/** Most characters of one text in a form, but for the answer's. */
const TEXT = 512

const text = z.string().max(TEXT)
const about = { title: text.optional(), description: text.optional() }
const length = z.int().min(0).max(8_192)

/** An object of named values. Without the check zod drops the name `__proto__` and says nothing. */
const recordOf = <K extends z.ZodString, V extends z.ZodType>(name: K, value: V) =>
  z.preprocess(
    (input, { issues }) => {
      if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__'))
        issues.push({ code: 'custom', path: ['__proto__'], message: 'is not a known field', input })
      return input
    },
    z.record(name, value),
  )

const fieldSchemas = [
  z
    .strictObject({
      type: z.literal('string'),
      ...about,
      /** Choices: the answer is one of them. */
      enum: z.array(text.min(1)).min(1).max(CHOICES).optional(),
      minLength: length.optional(),
      maxLength: length.optional(),
      default: text.optional(),
    })
    .refine(({ minLength = 0, maxLength = minLength }) => minLength <= maxLength, {
      path: ['minLength'],
      error: 'must be at most maxLength',
    }),
  z
    .strictObject({
      type: z.enum(['number', 'integer']),
      ...about,
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      default: z.number().optional(),
    })
    .refine(
      ({ type, minimum: low = Number.NEGATIVE_INFINITY, maximum: high = Number.POSITIVE_INFINITY }) =>
        type === 'integer' ? Math.ceil(low) <= Math.floor(high) : low <= high,
      { path: ['minimum'], error: 'leaves no number up to maximum' },
    ),
  z.strictObject({ type: z.literal('boolean'), ...about, default: z.boolean().optional() }),
] as const
const fieldSchema = z.discriminatedUnion('type', fieldSchemas)
/** One field of a form: text, a choice, a number, or yes and no. */
export type AskField = z.infer<typeof fieldSchema>

const isFieldName = /^[A-Za-z_][\w-]{0,63}$/

/** What an answer must be: one value, or an object of several. A flat JSON Schema. */
export const askSchemaSchema = z
  .discriminatedUnion('type', [
    ...fieldSchemas,
    z
      .strictObject({
        type: z.literal('object'),
        properties: recordOf(z.string().regex(isFieldName, 'must be 1 to 64 letters, digits, _ and -'), fieldSchema)
          .refine((fields) => Object.keys(fields).length > 0, 'needs a field')
          .refine((fields) => Object.keys(fields).length <= FIELDS, `must have at most ${FIELDS} fields`),
        required: z.array(z.string()).max(FIELDS).optional(),
      })
      .refine(({ properties, required = [] }) => required.every((name) => Object.hasOwn(properties, name)), {
        path: ['required'],
        error: 'must name fields of properties',
      }),
  ])
  .meta({ id: 'AskSchema' })
export type AskSchema = z.infer<typeof askSchemaSchema>

/** What a person answers: one value, or those of several fields. */
export const answerValueSchema = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  recordOf(z.string(), z.union([z.string(), z.number(), z.boolean()])),
])
export type AnswerValue = z.infer<typeof answerValueSchema>

const instant = z.iso.datetime()

/** A question of a job to its owner, open until it is answered or expires, or its job ends. */
export const askRowSchema = z.object({
  id: z.string(),
  /** The event that last changed it. */
  version: z.int().nonnegative(),
  at: instant,
  message: z.string(),
  /** What the answer must be; left out: yes or no. */
  schema: askSchemaSchema.optional(),
  expiresAt: instant.optional(),
  answer: z.object({ value: answerValueSchema, by: z.string(), at: instant }).optional(),
  /** Nobody answered in time. */
  expired: z.literal(true).optional(),
})
export type Ask = z.infer<typeof askRowSchema>
