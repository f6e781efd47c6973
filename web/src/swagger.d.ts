declare module 'swagger-ui-dist/swagger-ui.css';
declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  /** The options that the page sets, of the many that there are. */
  export default function SwaggerUI(options: {
    url: string;
    dom_id: string;
    deepLinking: boolean;
    docExpansion: 'none' | 'list' | 'full';
    validatorUrl: string | null;
    tryItOutEnabled: boolean;
  }): void;
}
