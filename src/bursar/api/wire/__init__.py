"""What goes over the wire: the shapes of requests and answers, one file a subject."""
