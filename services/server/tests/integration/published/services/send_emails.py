"""Case O7: an e-mail, and no answer."""

from zato.common import SMTPMessage
from zato.server.service import Service


class SendEmailService(Service):
    def handle(self):
        message = SMTPMessage()
        message.subject = "Hello"
        message.to = "someone@example.com"
        message.from_ = "platform@example.com"
        message.body = "El servicio se ha quedado moñeco"
        self.email.smtp.get("GMAIL").conn.send(message)
