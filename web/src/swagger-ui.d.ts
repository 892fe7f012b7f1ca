/** The part of Swagger UI that is used here; the package has no types. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  export default function SwaggerUI(options: {
    domNode: HTMLElement | null;
    spec: object;
    defaultModelsExpandDepth: number;
    docExpansion: "list" | "full" | "none";
    syntaxHighlight: false;
    tryItOutEnabled: boolean;
    validatorUrl: null;
  }): void;
}
