'use strict';

// Text never becomes markup: the policy of the page asks for this gate wherever a script would parse some. What Leaflet
// tries a browser with when it starts is all that passes.
if (window.trustedTypes) {
  trustedTypes.createPolicy('default', { createHTML: (text) => (text === '<svg/>' ? text : null) });
}
