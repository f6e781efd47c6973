// The page to read the server's OpenAPI document and to try its operations.
import 'swagger-ui-dist/swagger-ui.css';
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';

SwaggerUI({
  url: './api?f=openapi',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  // Nothing is sent to anybody's validator.
  validatorUrl: null,
  tryItOutEnabled: true,
});
