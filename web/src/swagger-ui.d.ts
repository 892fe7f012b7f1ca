/** Types for the part of Swagger UI that is used here. The package has none. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  type Component = (props: { getComponent: (name: string, container: true) => Component }) => unknown;

  export type Plugin = (system: { React: { createElement: (component: Component) => unknown } }) => {
    components: Record<string, Component>;
  };

  export default function SwaggerUI(options: {
    domNode: HTMLElement;
    spec: object;
    docExpansion: "list" | "full" | "none";
    layout: string;
    plugins: Plugin[];
    syntaxHighlight: false;
    tryItOutEnabled: boolean;
    validatorUrl: null;
    responseInterceptor: <Response extends { url: string }>(response: Response) => Response;
  }): void;
}
