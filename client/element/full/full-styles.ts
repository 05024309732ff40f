/** The style sheet of the variant `full`. */
export const fullStyles = `
.sections { font-size: .875rem; display: grid; gap: 16px; margin-block-start: 16px; &:empty { display: none } }
h2, summary { margin: 0; font-size: .875rem; font-weight: 600 }
summary { cursor: pointer; padding-block: 4px; &:focus-visible { outline: 2px solid; outline-offset: 2px; border-radius: 4px } }
.sections p { margin: 0 }
.sections :is(ol, ul) { margin: 8px 0 0; padding: 0; list-style: none; max-height: none }
.sections li {
  display: flex; gap: 8px; align-items: baseline; padding: 6px 0; border-block-start: 1px solid var(--track);
  span { flex: 1; unicode-bidi: isolate }
  .state { flex: none; color: var(--quiet) }
  svg { align-self: center; color: var(--tone) }
}
.sections small { display: block; color: var(--quiet); font-size: .8125rem }
.sections .failed small, .errors small, .danger { color: var(--failed) }
.sections .succeeded { --tone: var(--job-progress-done, light-dark(oklch(50% .13 155), oklch(76% .14 155))) }
.sections .pending, .sections .skipped { --tone: var(--quiet) }
.rest, .muted { color: var(--quiet) }
.controls, .sure, .ask-buttons { display: flex; flex-wrap: wrap; gap: 8px; align-items: center }
.sure > span { flex-basis: 100% }
.sections button {
  margin: 0; padding: 4px 14px; border: 1px solid var(--line); border-radius: var(--job-progress-control-radius, 9px);
  color: inherit; text-decoration: none;
  &:hover { background: var(--track) }
  &.primary { border-color: var(--accent); background: var(--accent); color: light-dark(#fff, #14171c) }
  &.danger { color: var(--failed) }
  &:disabled { opacity: .6 }
}
.ask { display: grid; gap: 8px; padding: 12px; border: 1px solid var(--line); border-inline-start: 3px solid var(--job-progress-attention, light-dark(oklch(52% .12 70), oklch(80% .13 80))); border-radius: 9px }
.ask form, .ask-field { display: grid; gap: 8px; justify-items: start }
.ask-field { gap: 4px; width: 100% }
.ask :is(input:not([type=checkbox]), select) {
  box-sizing: border-box; width: 100%; max-width: 320px; min-height: 36px; padding: 4px 10px; border: 1px solid var(--line); border-radius: 9px;
  font: inherit; color: inherit; background: transparent;
}
.ask-check { display: flex; align-items: center; gap: 8px; min-height: 36px }
.ask-check input { width: 18px; height: 18px; margin: 0; accent-color: var(--accent) }
.ask option { color: CanvasText; background: Canvas }
.lines {
  max-height: 240px; overflow: auto; margin-block-start: 8px; padding: 8px 12px; border: 1px solid var(--track); border-radius: 9px; direction: ltr;
  font: .75rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap;
  time { font-variant-numeric: tabular-nums }
  .error { color: var(--failed) }
  .warn { color: var(--job-progress-attention, light-dark(oklch(52% .12 70), oklch(80% .13 80))) }
  &:focus-visible { outline: 2px solid; outline-offset: 2px }
}
.sections {
  --quiet: var(--job-progress-muted, color-mix(in oklab, currentColor 76%, transparent));
  --line: var(--job-progress-line, light-dark(oklch(64% .02 260), oklch(56% .02 260)));
}
@media (pointer: coarse) { .sections button, summary { min-height: 44px } }
`
