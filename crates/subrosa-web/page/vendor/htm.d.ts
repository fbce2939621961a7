// The types of htm; written by hand.

interface Htm {
  bind<R>(create: (type: any, props: Record<string, any> | null, ...children: any[]) => R):
    (strings: TemplateStringsArray, ...values: any[]) => R;
}
declare const htm: Htm;
export default htm;
