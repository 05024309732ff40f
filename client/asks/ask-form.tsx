import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { fieldsOf, flawsOfAnswer } from '../../shared/document/answer-flaws.ts'
import type { AnswerValue, Ask, AskField } from '../../shared/document/ask-schema.ts'
import { askWords } from './words.ts'

type Values = Record<string, string | number | boolean>

interface AskFormProps {
  ask: Ask
  /** Writes a moment: `14:02`. */
  time(moment: number): string
  /** Sends an answer. */
  send(value: AnswerValue): Promise<void>
  /** Why it was not taken. */
  children?: ComponentChildren
}

/** The form of one open ask. */
export function AskForm({ ask, time, send: sendAnswer, children }: AskFormProps) {
  const { message, schema = { type: 'boolean' } as const, expiresAt } = ask
  const heading = useId()
  const fields = fieldsOf(schema)
  const [values, setValues] = useState<Values>(() => defaultsOf(fields))
  const [flaws, setFlaws] = useState<Record<string, string>>({})
  const [isBusy, setBusy] = useState(false)
  const isQuestion = schema.type === 'boolean'
  const send = async (value: AnswerValue) => {
    setBusy(true)
    await sendAnswer(value)
    setBusy(false)
  }
  const submit = (event: SubmitEvent & { currentTarget: HTMLFormElement }) => {
    event.preventDefault()
    const value: AnswerValue | undefined = schema.type === 'object' ? values : values['']
    const found = value === undefined ? [{ field: 'value', detail: askWords.required }] : flawsOfAnswer(schema, value)
    setFlaws(Object.fromEntries(found.map(({ field, detail }) => [field.slice('value.'.length), detail])))
    const [first] = found
    // Ids of a shadow tree are not the document's.
    if (first) focusIn(event.currentTarget, `${heading}-${first.field.slice('value.'.length)}`)
    else if (value !== undefined) void send(value)
  }
  return (
    <section class="card ask" aria-labelledby={heading}>
      <h2 id={heading} dir="auto">
        {message}
      </h2>
      <p class="muted">
        {askWords.waiting}. {expiresAt !== undefined && askWords.until(time(Date.parse(expiresAt)))}
      </p>
      {isQuestion ? (
        <p class="ask-buttons">
          <button type="button" class="primary" disabled={isBusy} onClick={() => void send(true)}>
            {askWords.yes}
          </button>
          <button type="button" disabled={isBusy} onClick={() => void send(false)}>
            {askWords.no}
          </button>
        </p>
      ) : (
        <form onSubmit={submit} noValidate>
          {fields.map(({ name = '', field, required }) => (
            <Field
              key={name}
              id={`${heading}-${name}`}
              // An unchecked box is an answer.
              label={labelOf(field.title ?? (name || askWords.answer), required || field.type === 'boolean')}
              field={field}
              value={values[name]}
              flaw={flaws[name]}
              onChange={(value) => {
                const { [name]: _before, ...others } = values
                setValues(value === undefined ? others : { ...others, [name]: value })
              }}
            />
          ))}
          <button type="submit" class="primary" disabled={isBusy}>
            {askWords.send}
          </button>
        </form>
      )}
      {children}
    </section>
  )
}

const focusIn = (form: HTMLFormElement, id: string) =>
  [...form.querySelectorAll<HTMLElement>('input, select')].find((field) => field.id === id)?.focus()

const labelOf = (name: string, isRequired: boolean) => (isRequired ? name : askWords.optional(name))

function defaultsOf(fields: ReturnType<typeof fieldsOf>): Values {
  const values: Values = {}
  for (const { name = '', field } of fields) {
    const value = field.default ?? (field.type === 'boolean' ? false : undefined)
    if (value !== undefined) values[name] = value
  }
  return values
}

interface FieldProps {
  id: string
  label: string
  field: AskField
  value: string | number | boolean | undefined
  flaw: string | undefined
  /** Called with what was entered; with `undefined` when that is nothing. */
  onChange(value: string | number | boolean | undefined): void
}

function Field({ id, label, field, value, flaw, onChange }: FieldProps) {
  const about = `${id}-about`
  const error = `${id}-error`
  const described = [field.description === undefined ? '' : about, flaw === undefined ? '' : error].join(' ').trim()
  const common = {
    id,
    ...(described ? { 'aria-describedby': described } : {}),
    ...(flaw === undefined ? {} : { 'aria-invalid': true as const }),
  }
  return (
    <div class="ask-field">
      {field.type === 'boolean' ? (
        <label for={id} class="ask-check" dir="auto">
          <input
            {...common}
            type="checkbox"
            checked={value === true}
            onChange={(e) => onChange(e.currentTarget.checked)}
          />
          <span>{label}</span>
        </label>
      ) : (
        <>
          <label for={id} dir="auto">
            {label}
          </label>
          {field.type === 'string' && field.enum ? (
            <select
              {...common}
              value={String(value ?? '')}
              onChange={(e) => onChange(e.currentTarget.value || undefined)}
            >
              <option value="">{askWords.choose}</option>
              {field.enum.map((choice) => (
                <option key={choice}>{choice}</option>
              ))}
            </select>
          ) : (
            <input
              {...common}
              {...(field.type === 'string' ? { type: 'text' } : { type: 'number', step: 'any' })}
              value={value === undefined ? '' : String(value)}
              onInput={(e) => onChange(entered(field, e.currentTarget.value))}
            />
          )}
        </>
      )}
      {field.description !== undefined && (
        <p id={about} class="muted" dir="auto">
          {field.description}
        </p>
      )}
      {flaw !== undefined && (
        <p id={error} class="danger">
          {flaw}
        </p>
      )}
    </div>
  )
}

function entered(field: AskField, text: string): string | number | undefined {
  if (text === '') return undefined
  return field.type === 'string' ? text : Number(text)
}
