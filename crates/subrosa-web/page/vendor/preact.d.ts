// The part of Preact's types that the page uses; written by hand, because Preact's own types want a newer TypeScript.

export type Child = VNode | string | number | boolean | null | undefined | Child[];
export interface VNode { type: unknown; props: Record<string, any>; key: unknown; }
export interface Ref<T> { current: T | null; }

export abstract class Component<P = {}, S = {}> {
  constructor(props: P);
  props: Readonly<P>;
  state: S;
  setState(next: Partial<S>): void;
  forceUpdate(): void;
  componentDidMount?(): void;
  componentDidUpdate?(before: P): void;
  componentWillUnmount?(): void;
  shouldComponentUpdate?(next: P, state: S): boolean;
  abstract render(props: P, state: S): Child;
}

export function h(type: unknown, props: Record<string, any> | null, ...children: Child[]): VNode;
export function render(node: Child, parent: Element): void;
export function createRef<T>(): Ref<T>;
export const Fragment: unknown;
