import { Component } from 'preact'

/** A component that is drawn anew only when one of its properties is another: for rows of which hundreds stand side by side. */
export abstract class Pure<Props extends object> extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return (Object.keys(next) as (keyof Props)[]).some((name) => next[name] !== this.props[name])
  }
}
